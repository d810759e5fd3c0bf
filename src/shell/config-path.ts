/** As shipped. Apart from what reads the file, which takes longer to load than a watchdog has to wait for. */
export const RUN_DIRECTORY = '/run/sm';
export const CONFIG_PATH = '/etc/sm/sm.yaml';
