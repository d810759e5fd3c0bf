-- How many services may be enabled at once.

INSERT INTO CONFIGURATION (KEY, VALUE) VALUES
  ('ENABLING_THROTTLE', '16');
