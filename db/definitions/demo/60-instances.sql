-- Parameters of the scripts, k=v,k=v. Every service is a sm-stamp, a daemon that writes a time stamp every 10 ms.

INSERT INTO SERVICE_INSTANCES (SERVICE_NAME, INSTANCE_NAME, INSTANCE_PARAMETERS) VALUES
  ('shop-store',  'shop-store',  'pidfile=/run/sm-demo/shop-store.pid,command=/usr/lib/sm/demo/sm-stamp,daemon=1,settle=0,args=--file /run/sm-demo/shop-store.stamps --pid-file /run/sm-demo/shop-store.pid --role-file %r'),
  ('shop-cache',  'shop-cache',  'pidfile=/run/sm-demo/shop-cache.pid,command=/usr/lib/sm/demo/sm-stamp,daemon=1,settle=0,args=--file /run/sm-demo/shop-cache.stamps --pid-file /run/sm-demo/shop-cache.pid'),
  ('shop-queue',  'shop-queue',  'pidfile=/run/sm-demo/shop-queue.pid,command=/usr/lib/sm/demo/sm-stamp,daemon=1,settle=0,args=--file /run/sm-demo/shop-queue.stamps --pid-file /run/sm-demo/shop-queue.pid'),
  ('shop-worker', 'shop-worker', 'SM_WORKER_DAEMON=/usr/lib/sm/demo/sm-stamp,SM_WORKER_PIDFILE=/run/sm-demo/shop-worker.pid,SM_WORKER_STAMPS=/run/sm-demo/shop-worker.stamps'),
  ('shop-web',    'shop-web',    'pidfile=/run/sm-demo/shop-web.pid,command=/usr/lib/sm/demo/sm-stamp,daemon=1,settle=0,args=--file /run/sm-demo/shop-web.stamps --pid-file /run/sm-demo/shop-web.pid'),
  ('web-status',  'web-status',  'pidfile=/run/sm-demo/web-status.pid,command=/usr/lib/sm/demo/sm-stamp,daemon=1,settle=0,args=--file /run/sm-demo/web-status.stamps --pid-file /run/sm-demo/web-status.pid');
