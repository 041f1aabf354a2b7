"""(front door of executor; filled in by its first commit)"""
