-- How many lines of which category each service wrote in each minute. Lines come as {"service": ..., "line": ...} over Kafka.
CREATE TABLE lines (
    service TEXT,
    line TEXT
) WITH (
    connector = 'kafka',
    bootstrap_servers = 'localhost:9092',
    topic = 'logs',
    type = 'source',
    format = 'json',
    'source.offset' = 'latest'
);

SELECT service, category, level, count(*) AS lines
FROM (SELECT service, log_category(line) AS category, log_level(line) AS level FROM lines)
GROUP BY tumble(interval '1 minute'), service, category, level;
