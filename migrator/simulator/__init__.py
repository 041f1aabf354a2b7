"""(front door of simulator; filled in by its first commit)"""
