"""(front door of salesforce; filled in by its first commit)"""
