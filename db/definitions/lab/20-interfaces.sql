-- Three links, all signed with the key named cluster. The addresses are each node's own: they are set when it starts.

INSERT INTO SERVICE_DOMAIN_INTERFACES (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, PATH_TYPE, AUTH_TYPE, AUTH_KEY) VALUES
  ('controller', 'management-interface',   'secondary', 'hmac-sha512', 'cluster'),
  ('controller', 'cluster-host-interface', 'secondary', 'hmac-sha512', 'cluster'),
  ('controller', 'oam-interface',          'secondary', 'hmac-sha512', 'cluster');
