/**
 * Units for systemd. What the service may do is cut down to its sockets and its database.
 *
 * A user of its own (`User=`) instead of DynamicUser: the database must keep its owner, `greyctl db` and `whitelist` run as that user, and a
 * unix socket below Postfix's queue needs a known one. MemoryDenyWriteExecute is left out on purpose: V8 compiles while it runs. NotifyAccess=all,
 * because readiness is told by systemd-notify, a process of its own.
 */

export interface UnitOptions {
  /** Full path of the program. */
  readonly program: string;
  /** Sockets as ListenStream= takes them. */
  readonly sockets: readonly string[];
  /** Mode of unix sockets, in octal. */
  readonly socketMode: string;
  /** systemd opens the sockets. */
  readonly isActivated: boolean;
}

const hardening = [
  'NoNewPrivileges=yes',
  'CapabilityBoundingSet=',
  'ProtectSystem=strict',
  'ProtectHome=yes',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  'ProtectKernelTunables=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelLogs=yes',
  'ProtectControlGroups=yes',
  'ProtectClock=yes',
  'ProtectHostname=yes',
  'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6',
  'RestrictNamespaces=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  'LockPersonality=yes',
  'SystemCallArchitectures=native',
  'SystemCallFilter=@system-service',
  'SystemCallErrorNumber=EPERM',
  '# No MemoryDenyWriteExecute: the JavaScript engine compiles while it runs.',
];

/** Folders of unix sockets that the server itself makes: it must be able to write there. */
function writableFolders({ sockets, isActivated }: UnitOptions): string[] {
  if (isActivated) return [];
  return [...new Set(sockets.flatMap((socket) => /^(\/.*)\/[^/]+$/.exec(socket)?.[1] ?? []))];
}

/** greyctl.service. */
function serviceUnit(options: UnitOptions): string {
  return [
    '[Unit]',
    'Description=Greylisting policy server for Postfix',
    'Documentation=man:greyctl(8)',
    'Before=postfix.service',
    'After=network.target',
    ...(options.isActivated ? ['Requires=greyctl.socket', 'After=greyctl.socket'] : []),
    '',
    '[Service]',
    'Type=notify',
    'NotifyAccess=all',
    'EnvironmentFile=-/etc/default/greyctl',
    `ExecStart=${options.program} serve $GREYCTL_OPTS`,
    'ExecReload=/bin/kill -HUP $MAINPID',
    'Restart=on-failure',
    'RestartSec=1',
    '# Wrong configuration does not mend itself.',
    'RestartPreventExitStatus=2',
    'TimeoutStopSec=10',
    'User=greyctl',
    'Group=greyctl',
    'StateDirectory=greyctl',
    'StateDirectoryMode=0750',
    'UMask=0027',
    'SyslogFacility=mail',
    'SyslogIdentifier=greyctl',
    ...hardening,
    ...writableFolders(options).map((folder) => `ReadWritePaths=${folder}`),
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}

/** greyctl.socket: Postfix can connect while the server is restarted. */
function socketUnit({ sockets, socketMode }: UnitOptions): string {
  return [
    '[Unit]',
    'Description=Greylisting policy server for Postfix (sockets)',
    'Documentation=man:greyctl(8)',
    '',
    '[Socket]',
    ...sockets.map((socket) => `ListenStream=${socket}`),
    ...(sockets.some((socket) => socket.startsWith('/')) ? [`SocketMode=${socketMode}`] : []),
    '',
    '[Install]',
    'WantedBy=sockets.target',
    '',
  ].join('\n');
}

/** Both files, or the service alone, each below the name to save it as, with what to type before. */
export function unitFiles(options: UnitOptions): string {
  const units = [
    ['greyctl.service', serviceUnit(options)],
    ...(options.isActivated ? [['greyctl.socket', socketUnit(options)]] : []),
  ];
  const first = options.isActivated ? 'greyctl.socket' : 'greyctl.service';
  return [
    '# Before: adduser --system --group --no-create-home --home /var/lib/greyctl greyctl',
    `# Then:   systemctl daemon-reload && systemctl enable --now ${first}`,
    '',
    ...units.map(([name = '', text = '']) => `# /etc/systemd/system/${name}\n${text}`),
  ].join('\n');
}
