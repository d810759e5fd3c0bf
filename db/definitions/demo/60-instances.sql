-- Parameters of the scripts, k=v,k=v, on this node. Every service is a process that stamps a file while it lives.
-- The paths are one node's; who runs both on one machine sets others here and in PID_FILE.

INSERT INTO SERVICE_INSTANCES (SERVICE_NAME, INSTANCE_NAME, INSTANCE_PARAMETERS) VALUES
  ('shop-store',  'shop-store',  'command=/usr/lib/sm/demo/sm-stamp,args=--file /run/sm-demo/shop-store.stamps --pid-file /run/sm-demo/shop-store.pid --role-file %r,daemon=1,pidfile=/run/sm-demo/shop-store.pid,rolefile=/run/sm-demo/shop-store.role'),
  ('shop-cache',  'shop-cache',  'command=/usr/lib/sm/demo/sm-stamp,args=--file /run/sm-demo/shop-cache.stamps --pid-file /run/sm-demo/shop-cache.pid,daemon=1,pidfile=/run/sm-demo/shop-cache.pid'),
  ('shop-queue',  'shop-queue',  'command=/usr/lib/sm/demo/sm-stamp,args=--file /run/sm-demo/shop-queue.stamps --pid-file /run/sm-demo/shop-queue.pid,daemon=1,pidfile=/run/sm-demo/shop-queue.pid'),
  ('shop-worker', 'shop-worker', 'SM_WORKER_DAEMON=/usr/lib/sm/demo/sm-stamp,SM_WORKER_PIDFILE=/run/sm-demo/shop-worker.pid,SM_WORKER_STAMPS=/run/sm-demo/shop-worker.stamps'),
  ('shop-web',    'shop-web',    'command=/usr/lib/sm/demo/sm-stamp,args=--file /run/sm-demo/shop-web.stamps --pid-file /run/sm-demo/shop-web.pid,daemon=1,pidfile=/run/sm-demo/shop-web.pid'),
  ('web-status',  'web-status',  'command=/usr/lib/sm/demo/sm-stamp,args=--file /run/sm-demo/web-status.stamps --pid-file /run/sm-demo/web-status.pid,daemon=1,pidfile=/run/sm-demo/web-status.pid');
