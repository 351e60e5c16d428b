// How long requests of block devices take, a histogram a disk and operation.
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define SLOTS 32

struct key {
	dev_t device;
	u32 operation;
};

struct histogram {
	u32 slots[SLOTS];
};

// Before Linux 5.16 the disk was a member of the request.
struct request___old {
	struct gendisk *rq_disk;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, struct request *);
	__type(value, u64);
} start SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct key);
	__type(value, struct histogram);
} histograms SEC(".maps");

static const struct histogram zero;

static struct gendisk *disk_of(struct request *rq)
{
	struct request___old *old = (void *)rq;

	if (bpf_core_field_exists(old->rq_disk))
		return BPF_CORE_READ(old, rq_disk);
	return BPF_CORE_READ(rq, q, disk);
}

static u32 log2_of(u64 value)
{
	u32 found = 0;

	for (int i = 0; i < SLOTS - 1 && value > 1; i++) {
		value >>= 1;
		found++;
	}
	return found;
}

SEC("raw_tp/block_rq_issue")
int BPF_PROG(issue, struct request *rq)
{
	u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&start, &rq, &now, 0);
	return 0;
}

SEC("raw_tp/block_rq_complete")
int BPF_PROG(complete, struct request *rq, blk_status_t error, unsigned int bytes)
{
	u64 *began = bpf_map_lookup_elem(&start, &rq), now = bpf_ktime_get_ns();
	struct histogram *histogram;
	struct gendisk *disk = disk_of(rq);
	struct key key = {
		.device = BPF_CORE_READ(disk, major) << 20 | BPF_CORE_READ(disk, first_minor),
		.operation = BPF_CORE_READ(rq, cmd_flags) & 0xff,
	};

	if (!began)
		return 0;
	histogram = bpf_map_lookup_elem(&histograms, &key);
	if (!histogram) {
		bpf_map_update_elem(&histograms, &key, &zero, BPF_NOEXIST);
		histogram = bpf_map_lookup_elem(&histograms, &key);
	}
	if (histogram && key.operation != REQ_OP_DISCARD)
		__sync_fetch_and_add(&histogram->slots[log2_of((now - *began) / 1000) & (SLOTS - 1)], 1);
	bpf_map_delete_elem(&start, &rq);
	return 0;
}

SEC("tp/block/block_rq_insert")
int insert(struct trace_event_raw_block_rq *ctx)
{
	struct key key = {.device = ctx->dev, .operation = ctx->nr_sector};

	bpf_map_update_elem(&histograms, &key, &zero, BPF_NOEXIST);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
