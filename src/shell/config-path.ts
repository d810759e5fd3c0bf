/** Apart from what reads the file, which takes longer to load than a watchdog has to wait for. */
export const CONFIG_PATH = '/etc/sm/sm.yaml';
