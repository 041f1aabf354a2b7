"""(front door of soql; filled in by its first commit)"""
