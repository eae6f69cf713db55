"""What a working copy needs around the contracts: generators and checks. No service imports it."""
