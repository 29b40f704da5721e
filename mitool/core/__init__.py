"""What everything stands on: errors, results, checked settings, the device and the machine."""
