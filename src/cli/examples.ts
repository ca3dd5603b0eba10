/** What the help of each command shows how to type: `$0` is greyctl. Each of them is parsed by a test. */

/** A line to type, and what it is for. */
type Example = readonly [line: string, what: string];

/** By the name of the command, two or three each. */
export const examples: Readonly<Record<string, readonly Example[]>> = {
  serve: [
    ['$0 serve --inet=127.0.0.1:60000 --delay=60 --max-age=10', 'as in many tutorials for postgrey'],
    [
      '$0 serve --unix=/var/spool/postfix/private/greyctl --user=postfix',
      'on a unix socket in Postfix’s chroot',
    ],
    ['$0 serve --dry-run --verbose', 'decide, learn and log, but let everything pass'],
  ],
  stats: [
    ['$0 stats --since 7d', 'the last week'],
    ['$0 stats --top 20', 'more of those who wait'],
    ['$0 stats --watch', 'watch the server at work'],
  ],
  whitelist: [
    ['$0 whitelist add example.org --comment "their pool is too large"', 'a client by its verified name'],
    ['$0 whitelist test mx7.example.org', 'is this client on any list?'],
  ],
  'whitelist add': [
    ['$0 whitelist add example.org --comment "their pool is too large"', 'a client by its verified name'],
    ['$0 whitelist add 192.0.2.0/24 2001:db8::/32 --expires 30d', 'two networks, for a month'],
    ['$0 whitelist add recipient helpdesk@example.com', 'mail to this address never waits'],
  ],
  'whitelist remove': [
    ['$0 whitelist remove example.org', 'a client'],
    ['$0 whitelist remove recipient helpdesk@example.com', 'a recipient'],
  ],
  'whitelist list': [
    ['$0 whitelist list', 'all, and where each stands'],
    ['$0 whitelist list --stored', 'those of the database, with their hits'],
  ],
  'whitelist test': [
    ['$0 whitelist test mx7.example.org', 'a client by its name'],
    ['$0 whitelist test 192.0.2.5', 'a client by its address'],
    [
      '$0 whitelist test --client 192.0.2.5 --client-name mx7.example.org --sender alice@example.org',
      'a whole attempt: what matches, or came nearest',
    ],
  ],
  'whitelist lint': [
    ['$0 whitelist lint', 'duplicates, what can never match, what is too broad'],
    ['$0 whitelist lint --unused 90d', 'and what nobody has used since'],
  ],
  'whitelist import': [
    ['$0 whitelist import /etc/postgrey/whitelist_clients.local', 'from postgrey'],
    ['$0 whitelist import /etc/sqlgrey/clients_fqdn_whitelist.local', 'from sqlgrey'],
    ['$0 whitelist import --kind sender --dry-run friends.txt', 'what a list of senders would come to'],
  ],
  'whitelist export': [
    ['$0 whitelist export > whitelist.txt', 'keep what is in the database'],
    ['$0 whitelist export --all --kind recipient', 'recipients, also those of the files'],
  ],
  db: [
    ['$0 db list --state waiting --recipient bob@example.org', 'who waits to write to Bob'],
    ['$0 db release --sender alice@example.com', 'let what waits of Alice through at its next retry'],
  ],
  'db info': [
    ['$0 db info', 'how much there is'],
    ['$0 db info --json', 'the same for programs'],
  ],
  'db list': [
    ['$0 db list --state waiting --recipient bob@example.org', 'who waits to write to Bob'],
    ['$0 db list --domain example.com --newer 1d', 'what was seen of a domain in the last day'],
    ['$0 db list --sort deferrals --reverse --limit 10', 'who tries hardest'],
  ],
  'db show': [
    ['$0 db show --client 192.0.2.5 --sender alice@example.com --recipient bob@example.org', 'one triplet'],
    ['$0 db show --client 192.0.2.5 --sender "" --recipient bob@example.org', 'of the null sender'],
  ],
  'db forget': [
    ['$0 db forget alice@example.com', 'everything about her, as sender and as recipient'],
    ['$0 db forget example.net 192.0.2.0/24 --dry-run', 'how much there is of these'],
  ],
  'db release': [
    ['$0 db release --sender alice@example.com', 'what waits of Alice passes at its next retry'],
    ['$0 db release --recipient bob@example.org --for 30m', 'Bob expects mail now'],
    ['$0 db release --recipient bob@example.org --for 0', 'no longer'],
  ],
  'db purge': [
    ['$0 db purge --yes', 'what has expired'],
    ['$0 db purge --state waiting --domain example.net --dry-run', 'what that would remove'],
  ],
  'db learn': [
    ['$0 db learn /var/log/mail.log*', 'before the first day: all files at once'],
    ['$0 db learn --since 2026-11-01 --dry-run mail.log', 'what would be learned'],
  ],
  'db backup': [
    ['$0 db backup /var/backups/greyctl.db', 'while the server runs'],
    ['$0 db backup /tmp/copy.db --db /srv/greyctl.db', 'of another database'],
  ],
  'db copy': [
    ['$0 db copy /var/lib/greyctl/greyctl.db redis://redis.example', 'from one host to many'],
    ['$0 db copy redis://redis.example /var/lib/greyctl/greyctl.db', 'and back'],
  ],
  'db check': [
    ['$0 db check', 'is the file sound?'],
    ['$0 db check --db /var/backups/greyctl.db', 'is the backup?'],
  ],
  'db vacuum': [
    ['$0 db vacuum', 'after much was removed'],
    ['$0 db vacuum --json', 'sizes before and after, for programs'],
  ],
  'db export': [
    ['$0 db export greyctl.jsonl', 'into a new file'],
    ['$0 db export | gzip > greyctl.jsonl.gz', 'packed'],
    ['$0 db export | ssh mx2 greyctl db import -', 'to another host'],
  ],
  'db import': [
    ['$0 db import greyctl.jsonl', 'what was exported'],
    ['zcat greyctl.jsonl.gz | $0 db import -', 'packed'],
  ],
  import: [
    ['$0 import postgrey --dry-run', 'what there is to move'],
    ['$0 import sqlgrey --from /var/lib/sqlgrey/sqlgrey.db', 'from sqlgrey on SQLite'],
  ],
  'import postgrey': [
    ['$0 import postgrey --dry-run', 'what there is to move'],
    ['$0 import postgrey --write-config /etc/greyctl/greyctl.conf', 'move database and settings'],
    ['$0 import postgrey --dump triplets.dump --clients-dump clients.dump', 'what db_dump wrote elsewhere'],
  ],
  'import sqlgrey': [
    ['$0 import sqlgrey --from /var/lib/sqlgrey/sqlgrey.db --dry-run', 'what there is to move'],
    [
      '$0 import sqlgrey --from /var/lib/sqlgrey/sqlgrey.db --whitelist-networks',
      'networks that came back are whitelisted',
    ],
  ],
  explain: [
    [
      '$0 explain --client 192.0.2.5 --sender alice@example.com --recipient bob@example.org',
      'would it wait, and how long?',
    ],
    ['grep bob@example.org /var/log/mail.log | tail -n 1 | $0 explain --log -', 'why was it deferred?'],
  ],
  simulate: [
    ['$0 simulate /var/log/mail.log*', 'what would greylisting do here?'],
    ['$0 simulate --sweep delay=60,300,900 mail.log', 'compare settings side by side'],
    ['$0 simulate --suggest --delay=5m mail.log', 'whom to whitelist?'],
  ],
  config: [
    ['$0 config postfix --inet 127.0.0.1:60000', 'lines for main.cf'],
    ['$0 config check', 'is anything wrong with settings or lists?'],
  ],
  'config postfix': [
    ['$0 config postfix --inet 127.0.0.1:60000', 'lines for main.cf'],
    ['$0 config postfix --form fail-open', 'mail flows while greyctl does not answer'],
    ['$0 config postfix --class greylist', 'only for recipients that a table names'],
  ],
  'config options': [
    ['$0 config options --delay=60 --max-age=10', 'a file for /etc/default/greyctl'],
    ['$0 config options --privacy > /etc/default/greyctl', 'written there'],
  ],
  'config systemd': [
    ['$0 config systemd > /etc/systemd/system/greyctl.service', 'a service'],
    [
      '$0 config systemd --socket --inet 127.0.0.1:60000',
      'a socket unit, too: no mail waits while it restarts',
    ],
  ],
  'config logrotate': [
    ['$0 config logrotate', 'why there is nothing to rotate'],
    ['$0 config logrotate > /etc/logrotate.d/greyctl', 'where a policy wants a file'],
  ],
  'config check': [
    ['$0 config check', 'what is in force'],
    ['$0 config check --config new.conf', 'before it is'],
  ],
  'config show': [
    ['$0 config show', 'every setting, and where it came from'],
    ['$0 config show --json', 'the same for programs'],
  ],
  doctor: [
    ['$0 doctor', 'look at the Postfix of this host'],
    ['$0 doctor $GREYCTL_OPTS', 'for a server that was started with these options'],
    ['ssh mx "postconf -n; postconf -M; postconf -P" | $0 doctor --postconf -', 'at another host’s'],
  ],
  completion: [
    ['source <($0 completion bash)', 'in ~/.bashrc'],
    ['$0 completion bash > /etc/bash_completion.d/greyctl', 'for all users'],
    ['$0 completion zsh > /usr/local/share/zsh/site-functions/_greyctl', 'for zsh'],
  ],
};
