"""Pictures of who sees whom: panels made of slots, shown as text or drawn, and examples of every objective."""
