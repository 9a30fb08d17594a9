"""What every room stands on: options, controls, errors, clocks, threads, arrays, and where weights lie."""
