"""(front door of transforms; filled in by its first commit)"""
