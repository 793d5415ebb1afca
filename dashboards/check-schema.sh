#!/usr/bin/env bash
# Checks each dashboard against Grafana's own data model, for every Grafana that is named below:
# the TypeScript types of the npm package @grafana/schema, the whole dashboard as `Dashboard` and
# each panel with the options of its type. Needs bash, Node.js with npm, and the npm registry.
#
#     dashboards/check-schema.sh [FILE.json ...]      # without files: those that ship
#
# Exit codes: 0 all well, 1 a dashboard does not fit the model, 2 npm could not install the
# packages, or a file cannot be read, 3 npm or node is missing.
set -euo pipefail

grafana=(11.6.7 12.4.2)
typescript=5.9.3

for tool in node npm; do
  if ! command -v "$tool" >/dev/null; then
    echo "check-schema.sh: $tool is missing: the dashboards are not checked" >&2
    exit 3
  fi
done

here=$(cd "$(dirname "$0")" && pwd)
if [ $# -eq 0 ]; then set -- "$here"/grafana/dashboards/*.json; fi
files=()
for file in "$@"; do
  if [ ! -r "$file" ]; then
    echo "check-schema.sh: $file cannot be read" >&2
    exit 2
  fi
  files+=("$(cd "$(dirname "$file")" && pwd)/$(basename "$file")")
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A registry may be slow or refuse for a moment.
install() {
  local try
  for try in 1 2 3; do
    if npm install --silent --no-audit --no-fund --no-save --ignore-scripts "$@" >npm.log 2>&1; then
      return
    fi
    sleep $((try * 2))
  done
  cat npm.log >&2
  echo "check-schema.sh: npm could not install $*" >&2
  exit 2
}

# The types that every dashboard must have. String enums of the model stand in JSON as their values.
model() {
  cat <<'TYPES'
import type { Dashboard, FieldConfig, Panel, RowPanel } from '@grafana/schema';
import type * as bargauge from './node_modules/@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as heatmap from './node_modules/@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as stat from './node_modules/@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as statetimeline from './node_modules/@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from './node_modules/@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeseries from './node_modules/@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Json<T> = T extends string ? `${T}`
  : T extends (infer E)[] ? Json<E>[]
  : T extends object ? { [K in keyof T]: Json<T[K]> }
  : T;

interface Query {
  refId: string;
  datasource: { type: 'prometheus'; uid: string };
  editorMode?: 'code' | 'builder';
  expr: string;
  legendFormat?: string;
  format: 'time_series' | 'table' | 'heatmap';
  instant: boolean;
  range: boolean;
  interval?: string;
  exemplar?: boolean;
  hide?: boolean;
}

type Override = { matcher: { id: string; options?: unknown }; properties: { id: string; value?: unknown }[] };

type Of<Type extends string, Options, Custom> =
  Omit<Json<Panel>, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
    type: Type;
    options: Json<Options>;
    fieldConfig: { defaults: Omit<Json<FieldConfig>, 'custom'> & { custom?: Json<Custom> }; overrides: Override[] };
    targets: Query[];
  };

// What the cells of a table are is a union that the model keeps loose.
type Cells = Omit<table.FieldConfig, 'hidden' | 'hideFrom'>;

type AnyPanel =
  | Of<'bargauge', bargauge.Options, Record<string, never>>
  | Of<'heatmap', heatmap.Options, Partial<heatmap.FieldConfig>>
  | Of<'stat', stat.Options, Record<string, never>>
  | Of<'state-timeline', statetimeline.Options, Partial<statetimeline.FieldConfig>>
  | Of<'table', table.Options, Cells>
  | Of<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | (Omit<Json<RowPanel>, 'panels' | 'type'> & { type: 'row'; panels: AnyPanel[] });

export type Shipped = Omit<Json<Dashboard>, 'panels'> & { panels: AnyPanel[] };

// A model that accepts everything would check nothing: each of these must be refused.
export const good: Shipped = { schemaVersion: 39, panels: [] };
// @ts-expect-error the version must be a number
export const version: Shipped = { schemaVersion: '39', panels: [] };
// @ts-expect-error there is no such key
export const key: Shipped = { schemaVersion: 39, panels: [], tittle: 'x' };
// @ts-expect-error there is no such panel
export const panel: AnyPanel = { type: 'pie', targets: [], options: {}, fieldConfig: { defaults: {}, overrides: [] } };
export const legend: timeseries.Options['legend'] | undefined = undefined;
export const rows: Json<timeseries.Options> = {
  // @ts-expect-error there is no such place
  legend: { calcs: [], displayMode: 'table', placement: 'top', showLegend: true },
  tooltip: { mode: 'multi', sort: 'desc' } as Json<timeseries.Options['tooltip']>,
};
TYPES
}

for version in "${grafana[@]}"; do
  folder=$scratch/$version
  mkdir "$folder"
  cd "$folder"
  echo '{ "name": "check", "version": "1.0.0", "private": true, "type": "module" }' >package.json
  install "@grafana/schema@$version" "typescript@$typescript"
  model >model.ts
  number=0
  for file in "${files[@]}"; do
    number=$((number + 1))
    node --input-type=module -e '
      import { readFileSync, writeFileSync } from "node:fs";
      const [from, to] = process.argv.slice(1);
      let json;
      try {
        json = JSON.parse(readFileSync(from, "utf8"));
      } catch (e) {
        console.error(`${from}: ${e.message}`);
        process.exit(1);
      }
      const text = JSON.stringify(json, null, 2);
      const head = `import type { Shipped } from "./model";\n`;
      writeFileSync(to, `${head}export const dashboard: Shipped = ${text};\n`);
    ' "$file" "dashboard-$number.ts"
  done
  cat >tsconfig.json <<'CONFIG'
{
  "compilerOptions": {
    "strict": true, "noEmit": true, "skipLibCheck": true, "types": [],
    "target": "es2022", "module": "esnext", "moduleResolution": "bundler"
  },
  "include": ["*.ts"]
}
CONFIG
  if ! ./node_modules/.bin/tsc --project tsconfig.json --pretty false; then
    echo "check-schema.sh: not the model of Grafana $version; dashboard-N.ts is file N of: ${files[*]##*/}" >&2
    exit 1
  fi
  echo "Grafana $version: ${#files[@]} dashboards fit its model"
done
