-- Each service is a real process, watched through its pid file.

INSERT INTO SERVICES (NAME, PID_FILE) VALUES
  ('shop-store',  '/run/sm-demo/shop-store.pid'),
  ('shop-cache',  '/run/sm-demo/shop-cache.pid'),
  ('shop-queue',  '/run/sm-demo/shop-queue.pid'),
  ('shop-worker', '/run/sm-demo/shop-worker.pid'),
  ('shop-web',    '/run/sm-demo/shop-web.pid'),
  ('web-status',  '/run/sm-demo/web-status.pid');

INSERT INTO SERVICE_GROUP_MEMBERS (NAME, SERVICE_NAME, SERVICE_FAILURE_IMPACT) VALUES
  ('shop-services', 'shop-store',  'critical'),
  ('shop-services', 'shop-cache',  'critical'),
  ('shop-services', 'shop-queue',  'critical'),
  ('shop-services', 'shop-worker', 'critical'),
  ('shop-services', 'shop-web',    'critical'),
  ('web-services',  'web-status',  'critical');
