"""Triggers: waits that hold no worker. They read and wait; whatever writes is done on a worker."""
