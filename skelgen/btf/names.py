"""The essential name of a type: what CO-RE compares."""


def essential_name(name: str) -> str:
    """Return a name without its ``___flavor``.

    The flavor starts at the last three underscores that stand between two characters
    that are none: ``task_struct___old`` is ``task_struct``; ``a____b``, ``___b`` and
    ``a___`` have no flavor.
    """
    end = len(name)
    while True:
        at = name.rfind("___", 0, end)
        if at <= 0:
            return name
        if name[at - 1] != "_" and name[at + 3 : at + 4] not in {"", "_"}:
            return name[:at]
        end = at + 2
