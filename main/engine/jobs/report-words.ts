/** Numbers in words, for those who may not reach into the report that they come from. */
export { asBytes, asCount, asDuration, asFigure, asPercent } from '../export/report-text';
