/** Starts the window: one application state over the bridge, one component tree. */
import { mount } from 'svelte';
import App from './app/App.svelte';
import { AppState } from './state/app.svelte';
import './styles/tokens.css';
import './styles/base.css';

const target = document.getElementById('app');
if (target === null) throw new Error('index.html has no element with the id "app".');

const app = new AppState(window.shear);
mount(App, { target, props: { app } });
void app.start();
