from skelgen.model.enums.attach_type import AttachType as AttachType
from skelgen.model.enums.command import Command as Command
from skelgen.model.enums.link_type import LinkType as LinkType
from skelgen.model.enums.map_type import MapType as MapType
from skelgen.model.enums.prog_type import ProgType as ProgType
