"""What the tests share: fixtures of C, the kernel under test, checks around it."""
