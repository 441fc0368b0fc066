"""eSputnik (Yespo): its public API as calls, one module for each part of the vendor's documentation."""
