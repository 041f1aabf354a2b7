"""Figures of the platform that are planned with and worked by.

**Invariant:** each with its source; what only one package needs stays there.
"""

#: records of one Salesforce batch: a slice as long is one batch, and no two batches of it wait for one lock (Bulk API guide, "Bulk API Limits")
BATCH_ROWS = 10_000
#: batches that an org processes at once; no figure is published, and what a busy org gives is less
PARALLELISM = 15
#: children of one record, or records of one owner, from which Salesforce speaks of skew (Designing Record Access for Enterprise Scale)
SKEW = 10_000

#: the fault of a row whose record has been deleted already (SOAP API guide, "StatusCode"); to a delete it is as good as done
GONE_FAULT = "ENTITY_IS_DELETED"
#: the fault of a row whose record is not even in the recycle bin, or never was there (the same)
NOWHERE_FAULT = "INVALID_CROSS_REFERENCE_KEY"
