"""Deployments and retrievals: jobs on the org's clock, all or nothing where the client asks for it.

**Invariant:** a deployment that is only checked, or is rolled back, leaves the org as it was; nobody sees it half done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from migrator.simulator.metadata.kinds import Applied, Component, Kind, Problem
from migrator.simulator.metadata.package import Manifest, Package, PackageInvalid, unpack
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import NEWEST
from migrator.simulator.xmltree import NotXml, read

KEPT_FOR = 86_400.0  # seconds that the result of a job can be asked for; ours


@dataclass(frozen=True, slots=True)
class Options:
    """What a client asks of a deployment."""

    check_only: bool = False
    rollback_on_error: bool = False
    allow_missing_files: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """What became of one component, or of the package."""

    type: str
    full_name: str
    file: str
    problem: str = ""
    warning: bool = False
    changed: bool = False
    created: bool = False

    @property
    def failed(self) -> bool:
        """Whether it was not deployed."""
        return bool(self.problem) and not self.warning


@dataclass(slots=True)
class Job:
    """A deployment or a retrieval; `run` does it when it is due."""

    id: str
    user_id: str
    created: float
    run: Callable[["Job"], None]
    options: Options = field(default_factory=Options)
    status: str = "Pending"
    started: float | None = None
    ended: float | None = None
    messages: Sequence[Message] = ()
    total: int = 0
    zip: bytes = b""  # of a retrieval
    files: Sequence[tuple[str, str, str]] = ()  # of a retrieval: path, type, full name

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self.ended is not None

    @property
    def failures(self) -> list[Message]:
        """The components that were not deployed."""
        return [each for each in self.messages if each.failed]


class Jobs:
    """The jobs of one org."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self.jobs: dict[str, Job] = {}
        org.background.append(self)

    def add(
        self, prefix: str, user_id: str, run: Callable[[Job], None], options: Options | None = None
    ) -> Job:
        """Queue a job."""
        job = Job(self._org.new_id(prefix), user_id, self._org.now(), run, options or Options())
        self.jobs[job.id] = job
        return job

    def find(self, job_id: str, prefix: str) -> Job | None:
        """The job of this id, of 15 or 18 characters."""
        named = (each for each in self.jobs.values() if each.id[:15] == job_id[:15])
        return next((each for each in named if each.id.startswith(prefix)), None)

    def advance(self, now: float) -> bool:
        """Do what is due, in the order it was asked for, one at a time."""
        for job in list(self.jobs.values()):
            if job.ended is not None:
                if now >= job.ended + KEPT_FOR:
                    del self.jobs[job.id]
                continue
            if job.started is None:
                job.started, job.status = now, "InProgress"
            if now < job.started + self._org.settings.deploy_seconds:
                break
            job.run(job)
            job.ended = now
        return False


class Deployer:
    """Deploys with the kinds of metadata that the simulator has."""

    def __init__(self, org: OrgState, kinds: Sequence[Kind]) -> None:
        self._org = org
        self._by_type: Mapping[str, Kind] = {each.type: each for each in kinds}
        self._by_directory: Mapping[str, Kind] = {each.directory: each for each in kinds}
        self._children = {child: each for each in kinds for child in each.children}

    def deploy(self, data: bytes, job: Job) -> None:
        """Apply a zip."""
        try:
            package = unpack(data)
        except PackageInvalid as fault:
            job.messages = [Message("", "package.xml", "package.xml", str(fault))]
            job.status, job.total = "Failed", 1
            return
        messages, done = self._apply(package, job)
        job.messages, job.total = messages, len(messages)
        failed = bool(job.failures)
        if job.options.check_only or (failed and job.options.rollback_on_error):
            for each in reversed(done):
                each.undo()
        if not failed:
            job.status = "Succeeded"
        else:
            partial = done and not job.options.rollback_on_error
            job.status = "SucceededPartial" if partial else "Failed"

    def _apply(self, package: Package, job: Job) -> tuple[list[Message], list[Applied]]:
        messages = [
            Message("", name, "package.xml", f"Unknown type name '{name}' specified in package.xml")
            for name in package.manifest.members
            if name not in self._by_type and name not in self._children
        ]
        done: list[Applied] = []
        seen: set[tuple[str, str]] = set()
        for path in sorted(package.files):
            for component in self._components(package, path, messages):
                seen.add((component.type, component.full_name))
                try:
                    applied = self._kind(component.type).apply(self._org, component, job.user_id)
                except Problem as problem:
                    messages.append(Message(component.type, component.full_name, path, problem.text))
                    continue
                done.append(applied)
                messages.append(
                    Message(
                        component.type,
                        component.full_name,
                        path,
                        changed=applied.changed,
                        created=applied.created,
                    )
                )
        return messages + self._missing(package.manifest, seen, job), done

    def _kind(self, type_: str) -> Kind:
        return self._by_type.get(type_) or self._children[type_]

    def _components(self, package: Package, path: str, messages: list[Message]) -> list[Component]:
        kind = self._by_directory.get(path.partition("/")[0])
        if kind is None or not path.endswith(f".{kind.suffix}"):
            messages.append(Message("", path, path, "The simulator has no such metadata"))
            return []
        api = int(float(package.manifest.version or NEWEST))
        try:
            root = read(package.files[path])
        except NotXml as fault:
            messages.append(Message(kind.type, path, path, f"Error parsing file: {fault}"))
            return []
        found = kind.parts(path, root, api)
        listed = [each for each in found if self._listed(package.manifest, each, found)]
        if not listed:
            messages.append(Message(kind.type, path, path, "Not in package.xml"))
        return listed

    def _listed(self, manifest: Manifest, component: Component, together: Sequence[Component]) -> bool:
        """Whether the manifest lists it, or the whole that it is a part of."""
        wholes = [each for each in together if each.type in self._by_type]
        return manifest.lists(component.type, component.full_name) or any(
            manifest.lists(each.type, each.full_name) for each in wholes
        )

    def _missing(self, manifest: Manifest, seen: set[tuple[str, str]], job: Job) -> list[Message]:
        if job.options.allow_missing_files:
            return []
        return [
            Message(
                type_,
                name,
                "package.xml",
                f"An object '{name}' of type {type_} was named in package.xml, but was not found in zipped directory",
            )
            for type_, listed in manifest.members.items()
            if type_ in self._by_type or type_ in self._children
            for name in listed
            if name != "*" and (type_, name) not in seen
        ]
