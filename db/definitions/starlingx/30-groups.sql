-- The service groups, and how redundantly the domain runs each.
-- From starlingx/ha (Apache-2.0, see NOTICE); what differs is in REPAIRS.md.

INSERT INTO SERVICE_GROUPS (ID, PROVISIONED, NAME, AUTO_RECOVER, CORE, FAILURE_DEBOUNCE, FATAL_ERROR_REBOOT) VALUES
  ( 1, 'yes', 'oam-services',                'no', 'no', 300000, 'no'),
  ( 2, 'yes', 'controller-services',         'no', 'no', 300000, 'yes'),
  ( 3, 'yes', 'cloud-services',              'no', 'no', 300000, 'yes'),
  ( 4, 'yes', 'patching-services',           'no', 'no', 300000, 'no'),
  ( 5, 'yes', 'directory-services',          'no', 'no', 300000, 'no'),
  ( 6, 'yes', 'web-services',                'no', 'no', 300000, 'no'),
  ( 7, 'no',  'storage-services',            'no', 'no', 120000, 'yes'),
  ( 8, 'no',  'storage-monitoring-services', 'no', 'no', 120000, 'no'),
  ( 9, 'yes', 'vim-services',                'no', 'no', 300000, 'yes'),
  (10, 'no',  'distributed-cloud-services',  'no', 'no', 300000, 'yes');

INSERT INTO SERVICE_DOMAIN_MEMBERS (ID, PROVISIONED, NAME, SERVICE_GROUP_NAME, REDUNDANCY_MODEL, N_ACTIVE, M_STANDBY, SERVICE_GROUP_AGGREGATE, ACTIVE_ONLY_IF_ACTIVE) VALUES
  ( 1, 'yes', 'controller', 'oam-services',                'N + M', 1, 1, 'controller-aggregate', 'directory-services'),
  ( 2, 'yes', 'controller', 'controller-services',         'N + M', 1, 1, 'controller-aggregate', 'directory-services'),
  ( 3, 'yes', 'controller', 'cloud-services',              'N + M', 1, 1, 'controller-aggregate', 'directory-services'),
  ( 4, 'yes', 'controller', 'vim-services',                'N + M', 1, 1, 'controller-aggregate', 'directory-services'),
  ( 5, 'yes', 'controller', 'patching-services',           'N + M', 1, 1, '',                     ''),
  ( 6, 'yes', 'controller', 'directory-services',          'N',     2, 0, '',                     ''),
  ( 7, 'yes', 'controller', 'web-services',                'N',     2, 0, '',                     ''),
  ( 8, 'no',  'controller', 'storage-services',            'N',     2, 0, '',                     ''),
  ( 9, 'no',  'controller', 'storage-monitoring-services', 'N + M', 1, 1, '',                     ''),
  (10, 'no',  'controller', 'distributed-cloud-services',  'N + M', 1, 1, 'controller-aggregate', '');
