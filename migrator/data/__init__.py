"""(front door of data; filled in by its first commit)"""
