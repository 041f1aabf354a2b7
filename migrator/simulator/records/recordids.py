"""The ids of one sObject's records: counted from the record's number, or given where an id is another org's or the organization's own."""

from collections.abc import Sequence

from migrator.simulator import ids


class RecordIds:
    """From numbers to ids and back."""

    __slots__ = ("_given", "_of_given", "_pod", "_prefix")

    def __init__(self, prefix: str, pod: str) -> None:
        self._prefix = prefix
        self._pod = pod
        self._given: dict[int, str] = {}
        self._of_given: dict[str, int] = {}  # by their 15 characters

    def give(self, seq: int, record_id: str) -> None:
        """Let a record have this id, of 18 characters, in place of the counted one."""
        self._of_given.pop(self._given.get(seq, "")[:15], None)
        self._given[seq] = record_id
        self._of_given[record_id[:15]] = seq

    def number_of(self, record_id: str) -> int:
        """The number in an id of 15 or 18 characters, whether there is such a record or not; 0 when it is none of ours."""
        given = self._of_given.get(record_id[:15])
        if given is not None:
            return given
        if record_id[:6] != self._prefix + self._pod:
            return 0
        seq = ids.decode(record_id)
        return 0 if seq in self._given else max(0, seq)

    def id_of(self, seq: int) -> str:
        """The 18-character id."""
        return self._given.get(seq) or ids.encode_one(self._prefix, self._pod, seq)

    def ids_of(self, seqs: Sequence[int]) -> list[str]:
        """The ids of many records."""
        if not self._given and isinstance(seqs, range) and seqs.step == 1:
            return ids.encode(self._prefix, self._pod, seqs.start, len(seqs))
        return list(map(self.id_of, seqs))
