// What /v1 answers, as far as it is shown; docs/api.md tells the rest. Instants are RFC 3339, null is unknown.

export const STATES = ["crit", "lost", "warn", "late", "silent", "fine"] as const; // worst first
export type State = (typeof STATES)[number];

export const FINDING_KEYS = [
  "near_disconnect",
  "controller_silent",
  "battery_worn",
  "lost",
  "late",
  "silent",
  "no_measurement",
  "heard_unknown",
  "clock_unset",
  "clock_behind",
  "clock_ahead",
  "clock_stepping",
  "id_shared",
  "status_unknown",
  "battery_unknown",
  "battery_low",
  "battery_hot",
  "battery_cold",
  "storage_too_small",
  "sensor_missing",
  "sensor_missing_or_frost",
  "sensor_faulty",
  "frost_unseen",
  "health_unknown",
  "upgrade_not_advised",
  "power_save",
  "full",
  "charging",
  "discharging",
  "charging_unknown",
] as const;
export type FindingKey = (typeof FINDING_KEYS)[number];

/** The numbers a finding rests on; only known ones are there. */
export interface FindingValues {
  battery_volts?: number;
  low_voltage_disconnect_volts?: number;
  margin_volts?: number;
  state_of_charge_percent?: number;
  state_of_health_percent?: number;
  battery_celsius?: number;
  rated_battery_amp_hours?: number;
  rated_panel_watts?: number;
  minutes_until_shutdown?: number;
  power_save_level?: number;
  offset_seconds?: number;
  interval_seconds?: number;
  heard_at?: string;
}

export interface Finding {
  severity: State;
  key: FindingKey;
  values: FindingValues;
}

export interface Measurement {
  measured_at: string;
  minutes_until_shutdown: number | null;
  power_save_level: number | null;
  panel_open_circuit_volts: number | null;
  panel_mpp_volts: number | null;
  battery_volts: number | null;
  state_of_charge_percent: number | null;
  state_of_health_percent: number | null;
  battery_celsius: number | null;
  charge_end_volts: number | null;
  status: string | null;
  time_repaired: boolean;
  untrusted: string[];
}

export interface Configuration {
  isems_revision: string | null;
  firmware: string | null;
  low_voltage_disconnect_volts: number | null;
  rated_battery_amp_hours: number | null;
  rated_panel_watts: number | null;
  latitude: number | null;
  longitude: number | null;
  dialect: string;
}

export interface Node {
  node: string;
  state: State;
  findings: Finding[];
  is_active: boolean;
  first_seen_at: string;
  newest: Measurement | null;
  configuration: Configuration | null;
  clock: { state: string; since: string | null; offset_seconds: number | null } | null;
  conflict_count: number;
  addresses: string[];
}

export interface NodesPage {
  nodes: Node[];
  next: string | null;
  /** How many active nodes there are in each state, on all pages. */
  states: Record<State, number>;
  inactive: number;
  time_zone: string;
  is_simulation: boolean;
}

/** One field of many nodes in the same buckets. */
export interface Comparison {
  field: string;
  step: string;
  from: string;
  to: string;
  starts_at: string[];
  nodes: { node: string; count: number[]; min: (number | null)[]; max: (number | null)[]; mean: (number | null)[]; last: (number | null)[] }[];
}

export interface BrokerHealth {
  is_well: boolean;
  sentence: string;
  since: string | null;
  broker: string;
  last_message_at: string | null;
  session_lost_at: string | null;
  has_standby: boolean;
}

export interface CollectorStatus {
  program: { version: string; revision: string | null; schema: string; database_schema: string | null; database: string; python: string };
  time_zone: string;
  is_simulation: boolean;
  nodes: { known: number; active: number };
  /** When each source last brought something new, to the minute. */
  newest: Record<string, string>;
  configured: { addresses: number; broker: string | null; has_push: boolean };
  polling: {
    answering: number;
    failing: number;
    overdue: number;
    answered_at: string | null;
    troubles: { address: string; polled_at: string | null; answered_at: string | null; error: string }[];
  };
  mqtt: Record<string, BrokerHealth>;
  waiting: { undecided_bytes: number; backlog_samples: number };
  rejected: { kept: number; dropped: number; times: Record<string, number> };
  rows_per_day: { day: string; rows: number }[];
  is_clock_trusted: boolean;
  /** With {z}, {x} and {y} for single tiles, else the place of a PMTiles archive. */
  map_tiles: { url: string; attribution: string } | null;
  storage: {
    database_bytes: number;
    disk_free_bytes: number | null;
    disk_bytes: number | null;
    measurements: number;
    measurements_per_day: number;
    growth_bytes_per_day: number | null;
    days_until_full: number | null;
    written_bytes_per_day: number | null;
  };
}

export interface RejectedPiece {
  reason: string;
  detail: string;
  raw: string;
  is_cut: boolean;
  node: string | null;
  source: string;
  address: string;
  times: number;
  first_at: string;
  last_at: string;
}

export interface RejectedPage {
  rejected: RejectedPiece[];
  next: string | null;
}
