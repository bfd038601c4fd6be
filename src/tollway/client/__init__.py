"""What commands on a developer's machine know: gateways, whose key is used, when models are asked for; pure."""
