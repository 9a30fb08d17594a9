"""Forms with files, read as people's programs send them."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import aclosing

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from speechhead_server.core.problems import Refused

PART_BYTES = 1 << 20
"""Longest field that is no file."""


class _Parts(MultiPartParser):
    """Parts of a form, of which some are files by their field: not every program gives a file a name."""

    fields_of_files: Collection[str] = ()

    def on_headers_finished(self) -> None:
        said = self._current_part.content_disposition
        _, options = parse_options_header(said)
        if b"filename" not in options and options.get(b"name", b"").decode("latin-1") in self.fields_of_files:
            self._current_part.content_disposition = (said or b"") + b'; filename=""'
        super().on_headers_finished()


async def form_of(
    request: Request, nameless: Collection[str], files: int, fields: int, part_bytes: int = PART_BYTES
) -> FormData:
    """The form of a request; its files are to be closed.

    Parameters
    ----------
    nameless : fields that are files whether they have a file's name or not
    files : most files
    fields : most other fields
    part_bytes : most bytes of one of them

    Raises
    ------
    Refused (400) if it is malformed.
    """
    try:
        async with aclosing(request.stream()) as stream:
            parts = _Parts(request.headers, stream, max_files=files, max_fields=fields, max_part_size=part_bytes)
            parts.fields_of_files = nameless
            return await parts.parse()
    except (Refused, OSError, ClientDisconnect):
        raise
    except MultiPartException as error:
        reason = f"{error.message[:100].rstrip('.')}"
        raise Refused(400, f"the form is malformed: {reason}. Send multipart/form-data.") from None
    except Exception:
        raise Refused(400, "the form is malformed. Send multipart/form-data.") from None
