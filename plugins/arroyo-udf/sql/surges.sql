-- Minutes in which more than a fifth of a service's lines are errors, and more than 50 of them. Lines come from files.
CREATE TABLE lines (
    service TEXT,
    line TEXT
) WITH (
    connector = 'filesystem',
    type = 'source',
    path = 'file:///var/log/export',
    format = 'json'
);

SELECT service, category, errors, total
FROM (
    SELECT service, category,
           sum(CASE WHEN level = 'error' OR level = 'fatal' THEN 1 ELSE 0 END) AS errors,
           count(*) AS total
    FROM (SELECT service, log_category(line) AS category, log_level(line) AS level FROM lines)
    GROUP BY tumble(interval '1 minute'), service, category
)
WHERE errors > 50 AND errors * 5 > total;
