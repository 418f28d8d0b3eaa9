"""Makes a recorded job of a job that was read: references resolved, checked, code snapshotted. All executors use it."""
