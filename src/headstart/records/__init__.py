"""What was measured, as JSON lines: appended safely, read back typed. Decides nothing."""

from headstart.records.files import writing
from headstart.records.journal import Journal
from headstart.records.record import Record

__all__ = ["Journal", "Record", "writing"]
