"""What is handed out: wheel, sdist and firmware bundle, each tried where nothing else is installed (`make dist`)."""
