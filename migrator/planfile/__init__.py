"""(front door of planfile; filled in by its first commit)"""
