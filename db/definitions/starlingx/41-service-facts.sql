-- Services that hold state of the kernel. Killing their processes does not stop them: only their audit proves it.

INSERT INTO SM_SERVICE_FACTS (SERVICE_NAME, KERNEL_STATE) VALUES
  -- replicated block devices
  ('drbd-pg',                 'yes'),
  ('drbd-rabbit',             'yes'),
  ('drbd-platform',           'yes'),
  ('drbd-cinder',             'yes'),
  ('drbd-extension',          'yes'),
  ('drbd-dc-vault',           'yes'),
  ('drbd-etcd',               'yes'),
  ('drbd-dockerdistribution', 'yes'),
  ('drbd-rook',               'yes'),
  ('drbd-cephmon',            'yes'),
  -- mounts
  ('pg-fs',                   'yes'),
  ('rabbit-fs',               'yes'),
  ('platform-fs',             'yes'),
  ('extension-fs',            'yes'),
  ('dc-vault-fs',             'yes'),
  ('etcd-fs',                 'yes'),
  ('dockerdistribution-fs',   'yes'),
  ('rook-fs',                 'yes'),
  ('cephmon-fs',              'yes'),
  ('helmrepository-fs',       'yes'),
  ('dc-iso-fs',               'yes'),
  ('device-image-fs',         'yes'),
  -- addresses
  ('oam-ipv4',                'yes'),
  ('management-ipv4',         'yes'),
  ('oam-ipv6',                'yes'),
  ('management-ipv6',         'yes'),
  ('platform-nfs-ip',         'yes'),
  ('pxeboot-ipv4',            'yes'),
  ('cluster-host-ipv4',       'yes'),
  ('cluster-host-ipv6',       'yes'),
  ('ironic-ipv4',             'yes'),
  ('ironic-ipv6',             'yes'),
  ('admin-ipv4',              'yes'),
  ('admin-ipv6',              'yes'),
  -- NFS exports
  ('platform-export-fs',      'yes'),
  ('extension-export-fs',     'yes'),
  -- the NFS server, which is in the kernel
  ('nfs-mgmt',                'yes'),
  -- volume groups
  ('cinder-lvm',              'yes'),
  -- iSCSI targets
  ('iscsi',                   'yes'),
  -- IPsec policies
  ('ipsec-config',            'yes'),
  -- addresses and routes
  ('storage-networking',      'yes');
