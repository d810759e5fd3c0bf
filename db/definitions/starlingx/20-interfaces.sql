-- The links. Addresses and ports are each node's own and are set with sm-configure or SQL.
-- From starlingx/ha (Apache-2.0, see NOTICE); what differs is in REPAIRS.md.

INSERT INTO SERVICE_DOMAIN_INTERFACES (ID, PROVISIONED, SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, PATH_TYPE, AUTH_TYPE, AUTH_KEY, INTERFACE_CONNECT_TYPE) VALUES
  (1, 'yes', 'controller', 'management-interface',   'secondary', 'hmac-sha512', 'cluster', 'tor'),
  (2, 'yes', 'controller', 'oam-interface',          'secondary', 'hmac-sha512', 'cluster', 'tor'),
  (3, 'yes', 'controller', 'cluster-host-interface', 'secondary', 'hmac-sha512', 'cluster', 'tor'),
  (4, 'no',  'controller', 'admin-interface',        'secondary', 'hmac-sha512', 'cluster', 'tor');
