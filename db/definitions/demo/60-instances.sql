-- Parameters of the scripts, k=v,k=v.

INSERT INTO SERVICE_INSTANCES (SERVICE_NAME, INSTANCE_NAME, INSTANCE_PARAMETERS) VALUES
  ('shop-store',  'shop-store',  'pidfile=/run/sm-demo/shop-store.pid,statefile=/run/sm-demo/shop-store.state'),
  ('shop-cache',  'shop-cache',  'pidfile=/run/sm-demo/shop-cache.pid'),
  ('shop-queue',  'shop-queue',  'pidfile=/run/sm-demo/shop-queue.pid'),
  ('shop-worker', 'shop-worker', 'pidfile=/run/sm-demo/shop-worker.pid'),
  ('shop-web',    'shop-web',    'pidfile=/run/sm-demo/shop-web.pid'),
  ('web-status',  'web-status',  'pidfile=/run/sm-demo/web-status.pid');
