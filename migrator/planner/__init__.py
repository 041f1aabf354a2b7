"""(front door of planner; filled in by its first commit)"""
