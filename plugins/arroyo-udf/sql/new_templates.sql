-- Templates of errors that no more than three lines of an hour have: most of them are new. Lines come from an agent's live stream, which goes on
-- after the last event that was seen (Last-Event-ID).
CREATE TABLE events (
    line TEXT
) WITH (
    connector = 'sse',
    endpoint = 'http://localhost:7333/api/events',
    format = 'json'
);

SELECT template, lines
FROM (
    SELECT template, count(*) AS lines
    FROM (SELECT log_template(line) AS template, log_level(line) AS level FROM events)
    WHERE level = 'error' OR level = 'fatal'
    GROUP BY hop(interval '5 minutes', interval '1 hour'), template
)
WHERE lines <= 3;
