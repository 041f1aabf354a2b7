"""(front door of state; filled in by its first commit)"""
