"""How a BMC is reached over HTTPS: certificates, one connection, one session. Blocking; bounded in time and size."""
