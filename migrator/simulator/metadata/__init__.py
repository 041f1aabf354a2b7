"""The Metadata API over SOAP: deployments and retrievals as jobs, and components read and changed one by one."""
