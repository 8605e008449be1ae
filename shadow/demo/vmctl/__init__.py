"""vmctl, the reference service: a small VM-management API, and the defects that can be put into it."""

from shadow.demo.vmctl.app import serve
from shadow.demo.vmctl.bugs import BUGS, parse_bugs
from shadow.demo.vmctl.settings import VmctlSettings

__all__ = ["BUGS", "VmctlSettings", "parse_bugs", "serve"]
