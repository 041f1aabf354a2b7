"""Retrievals: the zip of what a manifest asks for, a part of a file alone or the whole file."""

from collections.abc import Sequence

from migrator.simulator.metadata.deploys import Job, Message
from migrator.simulator.metadata.kinds import Kind
from migrator.simulator.metadata.package import NAMESPACE, Manifest, pack, write_manifest
from migrator.simulator.orgstate import OrgState
from migrator.simulator.xmltree import HEAD, Parsed, escape, local, read


def retrieve(
    org: OrgState, kinds: Sequence[Kind], manifest: Manifest, api: int, folder: str, job: Job
) -> None:
    """Make the job's zip, with its files below `folder`."""
    bodies: dict[tuple[str, str], str] = {}  # (root, path) → what is inside
    members: dict[str, list[str]] = {}
    listed: list[tuple[str, str, str]] = []
    messages: list[Message] = []
    wholes: set[str] = set()
    # whole files first: their parts are in them already
    for type_, names in sorted(
        manifest.members.items(), key=lambda each: (_is_part(kinds, each[0]), each[0])
    ):
        kind = next((each for each in kinds if type_ in {each.type, *each.children}), None)
        if kind is None:
            messages.append(Message(type_, "", "", f"Entity type: '{type_}' is unknown", warning=True))
            continue
        whole = type_ == kind.type
        for name in sorted(set(kind.names(org, type_) if "*" in names else names)):
            body = kind.body(org, name, api) if whole else kind.part(org, name, api)
            if body is None:
                text = f"Entity of type '{type_}' named '{name}' cannot be found"
                messages.append(Message(type_, name, "", text, warning=True))
                continue
            path = f"{folder}{kind.directory}/{kind.file_of(name)}.{kind.suffix}"
            if whole:
                wholes.add(path)
            if whole or path not in wholes:
                bodies[kind.single, path] = bodies.get((kind.single, path), "") + body
            members.setdefault(type_, []).append(name)
            listed.append((path, type_, name))
    files = {path: document(root, body) for (root, path), body in bodies.items()}
    files[f"{folder}package.xml"] = write_manifest(members, f"{api}.0")
    listed.append((f"{folder}package.xml", "Package", "package.xml"))
    job.zip, job.files, job.messages, job.status = pack(files), listed, messages, "Succeeded"


def _is_part(kinds: Sequence[Kind], type_: str) -> bool:
    return any(type_ in each.children for each in kinds)


def document(root: str, body: str) -> bytes:
    """A component's file, laid out as the platform does: four spaces, an element a line."""
    whole = read(f'<{root} xmlns="{NAMESPACE}">{body}</{root}>'.encode())
    inside = [line for each in whole for line in _lines(each, 1)]
    return "\n".join([HEAD, f'<{root} xmlns="{NAMESPACE}">', *inside, f"</{root}>", ""]).encode()


def _lines(element: Parsed, depth: int) -> list[str]:
    name, margin = local(element), "    " * depth
    if not len(element):
        return [f"{margin}<{name}>{escape(element.text or '')}</{name}>"]
    inside = [line for each in element for line in _lines(each, depth + 1)]
    return [f"{margin}<{name}>", *inside, f"{margin}</{name}>"]
