"""The fault campaign: every single fault in every state of a session, judged by the independent meter."""
