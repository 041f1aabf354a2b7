"""(front door of report; filled in by its first commit)"""
