"""Resources that no org has, outside `/services`: what is in the org, for whoever rehearses with it.

    GET /simulator/export.zip     all records as CSV files that data in takes
    GET /simulator/truth.jsonl    what really happened to records, a JSON document a line

They want a token of the org, cost no API request, and change nothing.
"""

import io
import zipfile
from collections.abc import Iterator

from migrator.simulator.dataout import export_texts
from migrator.simulator.http import Headers, Response
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import Call, Route

_STAMP = (1980, 1, 1, 0, 0, 0)


def routes() -> list[Route]:
    """The simulator's own resources."""
    return [
        Route("GET", "/simulator/export.zip", _export, counted=False),
        Route("GET", "/simulator/truth.jsonl", _truth, counted=False),
    ]


def _export(org: OrgState, _: Call) -> Response:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in export_texts(org):
            archive.writestr(zipfile.ZipInfo(name, _STAMP), content, zipfile.ZIP_DEFLATED)
    name = f'attachment; filename="{org.settings.organization_id}.zip"'
    headers = {"Content-Type": "application/zip", "Content-Disposition": name}
    return Response(200, Headers(headers), buffer.getvalue())


def _truth(org: OrgState, _: Call) -> Response:
    lines = list(org.truth.lines(0))

    def body() -> Iterator[bytes]:
        for line in lines:
            yield f"{line}\n".encode()

    return Response(200, Headers({"Content-Type": "application/x-ndjson"}), body())
